"""First-stage retrievers, one module each: the writer and the reader of its segments.

Terms and arrays are handed in; nothing here knows a language or a model.
"""

"""All that knows a language: identification, normalisation, analyzers, sentences and passages, codes."""

"""Run + Qrels → measures, by topic, language and pair."""

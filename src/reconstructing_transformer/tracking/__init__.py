"""What is remembered of a training: W&B runs, run records, and the tables made from them.

A training runs inside `track`, which keeps a W&B run and writes a record (`RunRecord`) of it, a JSON file. Records are
also made from W&B: from its public API (`pull`), or from an offline run's folder (`wandb_log`).
"""

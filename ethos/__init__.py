"""What several stages of the pipeline share; the stages themselves live in `scripts/`."""

__version__ = "0.1.0"

"""What the notebook needs besides `bench`: `style` of the figures, `text`, `results` as files."""

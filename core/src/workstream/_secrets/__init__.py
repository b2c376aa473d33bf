"""Secrets: references and marks, where they may sit, how they are looked up and hidden."""

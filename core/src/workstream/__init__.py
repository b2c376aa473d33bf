"""Durable plans for people who change running systems."""

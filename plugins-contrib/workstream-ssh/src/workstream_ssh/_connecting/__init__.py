"""Hosts: how to come to one, as whom, and how a program there is talked with."""

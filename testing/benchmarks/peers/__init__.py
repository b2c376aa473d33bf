"""The same work on other engines, the plainest way that their documentation shows.

Each module is a program of its own: it does the work once, and prints the seconds.
"""

"""Commands on hosts: begun, found again, ended, and what is made of their ends."""

"""The steps of a deployment, one to a file; ../deploy.py puts them in order.

Each file imports AWS's client and sam when it is used, not before, so that `deploy.py --help` needs nothing. What only
computes (which state of a stack asks for what, how many consumers a quota allows, which release comes before) is apart
from what calls AWS, and tests ask it directly.
"""

"""The load stage: does the target hold under load?"""

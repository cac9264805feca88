"""What `doctor` looks at: the machine, and what the chosen target needs of it and of a project.

Each target's checks are imported when it is chosen: a machine that is for Google Cloud alone does
not have the local cloud's packages.
"""

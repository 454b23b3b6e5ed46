"""How the service is deployed: CloudFormation templates, a container image, and the embedded environment in `local`.

Nothing in the product imports this package; `python -m deploy.local` is run as a program.
"""

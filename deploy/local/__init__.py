"""The embedded environment: the whole data plane on one machine, in one command, from the template that production deploys.

`python -m deploy.local start --state-dir DIR` runs MiniStack as a detached process on loopback, creates the
CloudFormation stack in it, and writes `DIR/environment.json`, which holds every setting that the service needs. What
the emulator lacks is bridged in `emulator/`.
"""

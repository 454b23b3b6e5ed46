"""The customers' inboxes: a table of notes that are shown in the app. The notification worker puts them in (its channel `inbox`), the API
shows them and notes which were read, an erasure empties them.
"""

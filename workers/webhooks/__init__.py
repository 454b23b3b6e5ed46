"""Outgoing webhooks by the Standard Webhooks specification: who wants to be told (endpoints), of what (a row for each event and endpoint),
and the patient, guarded, signed sending of it. docs/webhooks.md is for those who use it and for those who run it."""

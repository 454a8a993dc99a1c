"""The cluster by way of kubectl, so that whatever signs a person in there signs them in here."""

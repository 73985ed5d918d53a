"""The rules of the metadata quorum, tried in every state that small bounds allow."""

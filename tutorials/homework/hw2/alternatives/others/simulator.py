"""Not looked at: nothing in it is between marks."""

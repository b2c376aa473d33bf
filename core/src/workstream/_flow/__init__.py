"""Values that flow: a request that needs the response of an action before it."""

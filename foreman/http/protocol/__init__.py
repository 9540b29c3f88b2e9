"""Parts of HTTP that are standards of their own: how errors are sent, entity tags, idempotency keys."""

"""Keys of the WSGI environ (PEP 3333) by which the application and the server tell each other more than WSGI does."""

# Set by the application: the request's `flask.g`.
NOTED = "foreman.noted"

# Set by the server: `NOTED` of an earlier attempt at this request.
NOTED_BEFORE = "foreman.noted_before"

# Set by the server: the body was not read, because the request was going to be refused anyway.
BODY_NOT_READ = "foreman.body_not_read"

# Set by the application: the request must be retried, without a limit to the bytes that it reads.
TOO_LARGE_TO_TRY = "foreman.too_large_to_try"

"""What the application and the server tell each other in a request's environment (PEP 3333), besides what WSGI has."""

# Set by the application: what `flask.g` has for the request.
NOTED = "foreman.noted"

# Set by the server: the same of an earlier try of this request.
NOTED_BEFORE = "foreman.noted_before"

# Set by the server: the body has not been read, because it seemed not to be wanted.
BODY_NOT_READ = "foreman.body_not_read"

# Set by the application: the request has to be tried again as one that may read any number of bytes.
TOO_LARGE_TO_TRY = "foreman.too_large_to_try"

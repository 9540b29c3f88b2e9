"""What endpoints share on top of Flask: contracts, fields, paging, errors, and the OpenAPI document."""

"""What endpoints share, above Flask: contracts, fields, pages, errors, and the document that describes them."""

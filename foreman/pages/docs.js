// Relative addresses, so that the page also works behind a proxy that adds a prefix.
SwaggerUIBundle({
  dom_id: "#api",
  url: "api/v1/openapi.json",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});

// The API's reference, to read and to try: Swagger UI over this service's own description.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null, // asks nobody else whether the description is valid
});

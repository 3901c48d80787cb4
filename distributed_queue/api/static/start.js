// Starts Swagger UI on the page that docs.py makes. A file of its own, so that the page needs no inline script.
window.addEventListener("load", () => {
  const element = document.getElementById("swagger-ui");
  window.ui = SwaggerUIBundle({
    url: element.dataset.document,
    domNode: element,
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null,
  });
});

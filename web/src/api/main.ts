/** The description of the HTTP API, shown by Swagger UI: a page of its own, with nothing of the editor. */

import "swagger-ui-dist/swagger-ui.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({
  dom_id: "#root",
  url: new URL("api/openapi.json", document.baseURI).href,
  // It would ask a server of its makers.
  validatorUrl: null,
});

/** What of Swagger UI is used here; the package has no types. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface Options {
    readonly dom_id: string;
    readonly url: string;
    /** Whoever judges the description; null: nobody. */
    readonly validatorUrl: string | null;
  }

  export default function SwaggerUI(options: Options): void;
}

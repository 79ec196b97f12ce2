import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const SERVER = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  // The server says in <base> where the page's root is; everything else is found from there.
  base: "./",
  build: {
    outDir: "../collab/static",
    emptyOutDir: true,
    rolldownOptions: { input: ["index.html", "api.html"] },
    // Swagger UI is one file of this size; the editor's stay below Vite's own limit.
    chunkSizeWarningLimit: 1_800,
    // A data: address would need its own exception in the Content-Security-Policy.
    assetsInlineLimit: 0,
    // The wheel carries the built page, so it carries the notices of what was built in.
    license: { fileName: "licenses.md" },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": SERVER, "/ws": { target: SERVER, ws: true } },
  },
  test: { include: ["src/**/*.test.ts"], setupFiles: ["src/testing/page.ts"] },
});

/** All that the unit tests have of a page: an address with its root. */
Object.assign(globalThis, { document: { baseURI: "http://host.example/" } });

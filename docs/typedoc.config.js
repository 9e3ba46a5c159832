import { Converter } from "typedoc";
import { entries } from "./.vitepress/entries.js";

/** @type {Partial<import("typedoc").TypeDocOptions> & Partial<import("typedoc-plugin-markdown").PluginOptions>} */
export default {
  plugin: ["typedoc-plugin-missing-exports", "typedoc-plugin-markdown", nameAsImported],
  name: "Every export",
  tsconfig: "../tsconfig.json",
  entryPoints: entries.map(({ source }) => `../${source}`),
  router: "module",
  out: "reference/api",
  readme: "none",
  placeInternalsInOwningModule: true, // types that an export names without being exported
  excludeExternals: true,
  excludeInternal: true,
  disableSources: true,
  sort: ["source-order"],
  sortEntryPoints: false,
  groupOrder: ["Functions", "Interfaces", "Type Aliases", "Variables", "*"],
  blockTags: ["@default", "@example", "@generated", "@param", "@returns", "@throws"],
  hideGenerator: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  expandObjects: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  propertyMembersFormat: "table",
  typeDeclarationFormat: "table",
  tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true, hideSources: true },
  skipErrorChecking: true, // `npm run typecheck` does it, with the TypeScript of the package
  treatWarningsAsErrors: true,
};

/** Names each module as an app imports it, and not by its folder. @param {import("typedoc").Application} app */
function nameAsImported(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const { source, name } of entries) {
      const folder = source.replace(/^src\//, "").replace(/(\/index)?\.ts$/, "");
      const module = project.children?.find((child) => child.name === folder);
      if (module) module.name = name;
    }
  });
}

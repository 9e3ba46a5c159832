import { readFileSync } from "node:fs";
import { Converter } from "typedoc";
import { entries } from "./.vitepress/entries.js";

/** @type {Partial<import("typedoc").TypeDocOptions> & Partial<import("typedoc-plugin-markdown").PluginOptions>} */
export default {
  plugin: ["typedoc-plugin-missing-exports", "typedoc-plugin-markdown", nameAsImported, leaveOutInsides],
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
  validation: { notExported: false }, // see leaveOutInsides
  treatWarningsAsErrors: true,
};

/** Names each module as an app imports it, and not by its folder. @param {import("typedoc").Application} app */
function nameAsImported(app) {
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const { module, name } of entries) for (const found of modulesOf(project, module)) found.name = name;
  });
}

/** Leaves out what only inner rooms know, unless it is exported. @param {import("typedoc").Application} app */
function leaveOutInsides(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const { module, source } of entries) {
      const exported = readFileSync(new URL(`../${source}`, import.meta.url), "utf8").match(/\w+/g);
      for (const child of modulesOf(project, module).flatMap(({ children = [] }) => children)) {
        const file = project.getSymbolIdFromReflection(child)?.fileName ?? "";
        const inside = /\/src\/(gen|machine\/(?!state)|session\/(driver|notices)|stream\/host)/.test(file);
        if (inside && !exported?.includes(child.name)) project.removeReflection(child);
      }
    }
  });
}

/** @param {import("typedoc").ProjectReflection} project */
function modulesOf({ children = [] }, module) {
  return children.filter(({ name }) => name === module);
}

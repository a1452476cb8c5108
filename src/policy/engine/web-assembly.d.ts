// The part of the WebAssembly interface that is used here. It is Node's own, but its types come with the browser's,
// all of which would be visible then.
declare namespace WebAssembly {
  type ModuleImports = Record<string, ((...args: never[]) => unknown) | Memory>
  class Module {
    constructor(bytes: Uint8Array)
    static imports(module: Module): { module: string; name: string; kind: string }[]
  }
  class Instance {
    constructor(module: Module, imports: Record<string, ModuleImports>)
    readonly exports: Record<string, unknown>
  }
  class Memory {
    constructor(pages: { initial: number; maximum: number })
    readonly buffer: ArrayBuffer
  }
  interface Global {
    value: number | bigint
  }
  class RuntimeError extends Error {}
}

import type { Json } from '#base/index.ts'
import { TomlReader } from './toml-reader.ts'

type Table = { [name: string]: Json }

/** What may still be done to a table or list, as TOML tells them apart. */
type Origin = 'implicit' | 'header' | 'dotted' | 'tables'

/**
 * TOML 1.0 as JSON, strictly: what TOML has and JSON has not (dates, infinity, integers that a double cannot hold) is
 * refused, as are keys twice and `__proto__`.
 *
 * @throws NotToml
 */
export function parseToml(text: string, maxDepth: number): Table {
  return new TomlDocument(text, maxDepth).read()
}

class TomlDocument {
  readonly #reader: TomlReader
  readonly #maxDepth: number
  readonly #root: Table = {}
  /** Where tables came from; inline ones and written lists are not in here, and are closed. */
  readonly #origins = new WeakMap<object, Origin>([[this.#root, 'header']])

  constructor(text: string, maxDepth: number) {
    this.#reader = new TomlReader(text)
    this.#maxDepth = maxDepth
  }

  read(): Table {
    const reader = this.#reader
    let current = this.#root
    for (;;) {
      reader.skipBlank(true)
      if (reader.atEnd) return this.#root
      if (reader.take('[[')) current = this.#openList(this.#header(']]'))
      else if (reader.take('[')) current = this.#openTable(this.#header(']'))
      else this.#assign(current, true, 0)
      reader.endLine()
    }
  }

  #header(end: string): string[] {
    const path = this.#path()
    if (!this.#reader.take(end)) throw this.#reader.wrong(`${end} is missing`)
    return path
  }

  #path(): string[] {
    const path: string[] = []
    do {
      this.#reader.skipBlank(false)
      path.push(this.#reader.key())
      this.#reader.skipBlank(false)
    } while (this.#reader.take('.'))
    if (path.length > this.#maxDepth) throw this.#reader.wrong('it is nested too deeply')
    return path
  }

  /** The table that the parts of a header before the last one lead to. */
  #descend(path: readonly string[]): Table {
    let table = this.#root
    for (const name of path) {
      const next = own(table, name) ?? this.#create(table, name, 'implicit')
      const origin = typeof next === 'object' && next !== null ? this.#origins.get(next) : undefined
      if (!origin) throw this.#reader.wrong('a table is opened within what is none')
      table = (origin === 'tables' ? (next as Json[]).at(-1) : next) as Table
    }
    return table
  }

  #openTable(path: readonly string[]): Table {
    const parent = this.#descend(path.slice(0, -1))
    const name = path.at(-1)!
    const there = own(parent, name)
    if (there === undefined) return this.#create(parent, name, 'header')
    if (typeof there !== 'object' || there === null || this.#origins.get(there) !== 'implicit') {
      throw this.#reader.wrong('a table is defined twice')
    }
    this.#origins.set(there, 'header')
    return there as Table
  }

  #openList(path: readonly string[]): Table {
    const parent = this.#descend(path.slice(0, -1))
    const name = path.at(-1)!
    let list = own(parent, name)
    if (list === undefined) {
      list = []
      parent[name] = list
      this.#origins.set(list, 'tables')
    }
    if (!Array.isArray(list) || this.#origins.get(list) !== 'tables') {
      throw this.#reader.wrong('a list of tables is defined twice')
    }
    const table: Table = {}
    this.#origins.set(table, 'header')
    list.push(table)
    return table
  }

  #create(parent: Table, name: string, origin: Origin): Table {
    const table: Table = {}
    parent[name] = table
    this.#origins.set(table, origin)
    return table
  }

  /** `key.key = value`; within an inline table nothing outlives it, so all dotted tables there are its own. */
  #assign(into: Table, isOpen: boolean, depth: number): void {
    const path = this.#path()
    const name = path.pop()!
    let table = into
    for (const part of path) {
      const next = own(table, part) ?? this.#create(table, part, 'dotted')
      if (typeof next !== 'object' || next === null || this.#origins.get(next) !== 'dotted') {
        throw this.#reader.wrong('a dotted key leads into what is no table of its own')
      }
      table = next as Table
    }
    if (own(table, name) !== undefined) throw this.#reader.wrong('a key is there twice')
    if (!this.#reader.take('=')) throw this.#reader.wrong('= is missing')
    this.#reader.skipBlank(false)
    table[name] = this.#value(depth + (isOpen ? 0 : path.length) + 1)
  }

  #value(depth: number): Json {
    if (depth > this.#maxDepth) throw this.#reader.wrong('it is nested too deeply')
    if (this.#reader.take('[')) return this.#list(depth)
    if (this.#reader.take('{')) return this.#inline(depth)
    return this.#reader.scalar()
  }

  #list(depth: number): Json[] {
    const list: Json[] = []
    for (;;) {
      this.#reader.skipBlank(true)
      if (this.#reader.take(']')) return list
      list.push(this.#value(depth + 1))
      this.#reader.skipBlank(true)
      if (this.#reader.take(',')) continue
      if (this.#reader.take(']')) return list
      throw this.#reader.wrong('a list has no end')
    }
  }

  #inline(depth: number): Table {
    const table: Table = {}
    this.#reader.skipBlank(false)
    if (this.#reader.take('}')) return table
    for (;;) {
      this.#assign(table, false, depth)
      this.#reader.skipBlank(false)
      if (this.#reader.take('}')) return table
      if (!this.#reader.take(',')) throw this.#reader.wrong('an inline table has no end')
    }
  }
}

const own = (table: Table, name: string): Json | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

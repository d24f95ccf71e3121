// What the package's TypeScript declarations say of an answer, read when the tests run, and where an answer differs.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const files = new Map();

// A declaration file without comments, and where its names come from.
function read(path) {
  if (!files.has(path)) {
    const text = readFileSync(`${path}.d.ts`, 'utf8').replace(/\/\*[^]*?\*\//g, '');
    const from = (spec) => {
      const found = join(dirname(path), spec);
      return existsSync(`${found}.d.ts`) ? found : join(found, 'index');
    };
    const imports = new Map();
    for (const [, names, spec] of text.matchAll(/import \{([^}]*)\} from "(.*)";/g)) {
      for (const name of names.split(',')) imports.set(name.trim(), from(spec));
    }
    for (const [, name, spec] of text.matchAll(/import \* as (\w+) from "(.*)";/g))
      imports.set(name, from(spec));
    const passedOn = [...text.matchAll(/export \* from "(.*)";/g)].map(([, spec]) => from(spec));
    files.set(path, { path, text, imports, passedOn });
  }
  return files.get(path);
}

// The declaration of a name as a file sees it: its file, what it is, what it extends, and its body's tokens.
function find(path, name) {
  const file = read(path);
  const [space, inner] = name.split('.');
  if (inner) return find(file.imports.get(space), inner);
  const start = `export (?:declare )?(interface|class|enum|type) ${name}\\b(?: extends ([\\w.]+))?[ =]*`;
  const declared = new RegExp(start).exec(file.text);
  if (declared) {
    const body = file.text.slice(declared.index + declared[0].length);
    return { path, name, kind: declared[1], extends: declared[2], tokens: tokens(body) };
  }
  if (file.imports.has(name)) return find(file.imports.get(name), name);
  for (const next of file.passedOn) {
    const found = find(next, name);
    if (found) return found;
  }
  return undefined;
}

function tokens(text) {
  const all = text.matchAll(/"[^"]*"|[\w.-]+|[{}[\]()<>|?:;=,]/g);
  let ahead = all.next();
  return {
    peek: () => ahead.value?.[0],
    take() {
      const [token] = ahead.value;
      ahead = all.next();
      return token;
    },
    // Passes a token by, if it comes next.
    skip(token) {
      return this.peek() === token && Boolean(this.take());
    },
  };
}

// A type: { any }, { of: name }, { list: type }, { fields, rest }, { one: [type] } or { literal }.
function type(from) {
  const one = [];
  do one.push(single(from));
  while (from.skip('|'));
  return one.length === 1 ? one[0] : { one };
}

function single(from) {
  let found;
  const token = from.take();
  if (token === '{') {
    found = members(from);
  } else if (token === '(' || token === '[') {
    const inner = type(from);
    from.take();
    found = token === '[' ? { list: inner } : inner;
  } else if (token.startsWith('"')) {
    found = { literal: token.slice(1, -1) };
  } else if (from.skip('<')) {
    // Of generics the answers have Hash<T> only.
    found = { fields: new Map(), rest: type(from) };
    from.take();
  } else {
    found = { of: token };
  }
  while (from.skip('[')) {
    from.take();
    found = { list: found };
  }
  return found;
}

function members(from) {
  const fields = new Map();
  let rest;
  while (!from.skip('}')) {
    const name = from.take();
    if (name === '[') {
      while (from.take() !== ']');
      from.take();
      rest = type(from);
    } else if (from.peek() === '(') {
      while (from.peek() !== ';') from.take();
    } else {
      const optional = from.skip('?');
      from.take();
      fields.set(name, { optional, type: type(from) });
    }
    from.skip(';');
  }
  return { fields, rest };
}

function values(from) {
  const all = [];
  from.take();
  while (!from.skip('}')) {
    from.take();
    from.take();
    const token = from.take();
    all.push(token.startsWith('"') ? token.slice(1, -1) : Number(token));
    from.skip(',');
  }
  return all;
}

const known = new Map();

function declaration(path, name) {
  const key = `${path} ${name}`;
  if (!known.has(key)) {
    const found = find(path, name);
    if (!found) throw new Error(`${name} is not declared, as ${path}.d.ts sees it`);
    const declared = { path: found.path, name: found.name };
    if (found.kind === 'enum') declared.values = values(found.tokens);
    else declared.type = type(found.tokens);
    if (found.extends) {
      // What is inherited is read as the base's file sees it.
      const base = declaration(found.path, found.extends);
      const inherited = [...base.type.fields].map(([name, field]) => [name, { path: base.path, ...field }]);
      declared.type.fields = new Map([...inherited, ...declared.type.fields]);
    }
    known.set(key, declared);
  }
  return known.get(key);
}

const kindOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value);

// Where a value differs from a type that a file names: sentences such as "Bounce.From is absent".
export function differences(value, path, text) {
  const found = new Set();
  compare(value, type(tokens(text)), { path, where: text }, (what) => found.add(what));
  return [...found];
}

function compare(value, wanted, at, differs) {
  const is = kindOf(value);
  if (wanted.of) {
    if (wanted.of === 'any' || wanted.of === is) return;
    if (wanted.of === 'object' && is === 'list') return;
    if (/^(string|number|boolean|object|null)$/.test(wanted.of))
      return void differs(`${at.where} is a ${is}`);
    const declared = declaration(at.path, wanted.of);
    if (!declared.values)
      return compare(value, declared.type, { path: declared.path, where: declared.name }, differs);
    if (!declared.values.includes(value)) differs(`${at.where} is none of ${declared.name}`);
  } else if (wanted.one) {
    const fits = (one) => {
      let good = true;
      compare(value, one, at, () => (good = false));
      return good;
    };
    if (!wanted.one.some(fits)) differs(`${at.where} is a ${is}`);
  } else if (wanted.literal) {
    if (value !== wanted.literal) differs(`${at.where} is not '${wanted.literal}'`);
  } else if (wanted.list) {
    if (is !== 'list') return void differs(`${at.where} is a ${is}`);
    for (const item of value) compare(item, wanted.list, at, differs);
  } else {
    if (is !== 'object') return void differs(`${at.where} is a ${is}`);
    for (const [name, field] of wanted.fields) {
      const where = `${at.where}.${name}`;
      if (!(name in value)) {
        if (!field.optional) differs(`${where} is absent`);
      } else if (value[name] !== null || !field.optional) {
        compare(value[name], field.type, { path: field.path ?? at.path, where }, differs);
      }
    }
    for (const name of Object.keys(value).filter((name) => !wanted.fields.has(name))) {
      const where = `${at.where}.${name}`;
      if (wanted.rest) compare(value[name], wanted.rest, { ...at, where }, differs);
      else differs(`${where} is not declared`);
    }
  }
}

// What each method of a client promises to answer, by the client's own declarations: method -> type.
export function promises(path) {
  const methods = read(path).text.matchAll(/^ {4}(\w+)\(.*\): Promise<(.*)>;$/gm);
  return new Map([...methods].map(([, method, answer]) => [method, answer]));
}

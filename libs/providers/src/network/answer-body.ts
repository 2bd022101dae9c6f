import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { jsonIn } from '../json';
import type { ResponseKind } from '../language/definition';

/**
 * What the text of an answer means; undefined when it is not of that kind. An error often comes as JSON where a success
 * is something else, and is read as such.
 */
export function readBody(text: string, kind: ResponseKind, isSuccess: boolean): unknown {
  const body = readers[kind](text);
  const isJson = !isSuccess && kind !== 'json' && /^\s*[[{]/.test(text);
  return isJson ? (readJson(text) ?? body) : body;
}

const readers: Record<ResponseKind, (text: string) => unknown> = {
  json: readJson,
  xml: readXml,
  form: readForm,
  text: (text) => text.replace(/^\uFEFF/, '').trim(),
};

function readJson(text: string): unknown {
  return jsonIn(text.replace(/^\uFEFF/, ''));
}

const xml = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: 64,
  // Without the prefix that the library would give to names such as `constructor`: only own properties are ever read.
  onDangerousProperty: (name) => name,
});

/** The five entities of XML itself and characters by number; a DOCTYPE, which could declare more, is refused. */
function readXml(text: string): unknown {
  if (/<!(DOCTYPE|ENTITY)/i.test(text) || /^\s*<html[\s>]/i.test(text)) return undefined;
  try {
    if (XMLValidator.validate(text) !== true) return undefined;
    const body: unknown = xml.parse(text);
    return typeof body === 'object' && body !== null && Object.keys(body).length > 0 ? body : undefined;
  } catch {
    // Nested too deeply, or with more entities than the parser takes.
    return undefined;
  }
}

function readForm(text: string): unknown {
  if (!/^[^\s<{]+$/.test(text.trim()) || !text.includes('=')) return undefined;
  const fields = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(text.trim())) fields[name] ??= value;
  return fields;
}

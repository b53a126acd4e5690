/**
 * A radix tree of texts: which of them does a text begin with? For suffixes, the texts are filed and
 * read from their ends. Filled once; walking it allocates nothing.
 *
 *   root ─ "team-" ┬ "a"  (value)
 *                  └ "b" ─ "/x" (value)
 */
export interface TextNode<V> {
  /** In reading direction. Never empty but at the root. */
  label: string;
  value: V | undefined;
  /** The first character of each child's label, no two the same: looked through without touching the children. */
  heads: string;
  children: TextNode<V>[];
}

const LEAF: never[] = [];

export function createTextTree<V>(): TextNode<V> {
  return { label: "", value: undefined, heads: "", children: LEAF };
}

/** Files `value` under `text`, which is not there yet and not empty. */
export function addText<V>(root: TextNode<V>, text: string, value: V): void {
  let node = root;
  let at = 0;
  for (;;) {
    const child = childFor(node, text.charCodeAt(at));
    if (!child) {
      const leaf = { label: text.slice(at), value, heads: "", children: LEAF };
      node.children = [...node.children, leaf];
      node.heads += leaf.label.charAt(0);
      return;
    }
    const shared = sharedLength(child.label, text, at);
    if (shared < child.label.length) split(child, shared);
    at += shared;
    node = child;
    if (at === text.length) {
      node.value = value;
      return;
    }
  }
}

/** The text as it is filed for suffixes. By code units: it is never shown. */
export function reversed(text: string): string {
  return text.split("").reverse().join("");
}

/** The node below, if its label stands in `text` from `at` on. */
function nodeAfter<V>(node: TextNode<V>, text: string, at: number): TextNode<V> | undefined {
  const child = at < text.length ? childFor(node, text.charCodeAt(at)) : undefined;
  return child && text.startsWith(child.label, at) ? child : undefined;
}

/** The node below, if its label stands in `text` before `end`, read backwards. */
function nodeBefore<V>(node: TextNode<V>, text: string, end: number): TextNode<V> | undefined {
  const child = end > 0 ? childFor(node, text.charCodeAt(end - 1)) : undefined;
  if (!child || child.label.length > end) return undefined;
  for (let i = 0; i < child.label.length; i += 1) {
    if (child.label.charCodeAt(i) !== text.charCodeAt(end - 1 - i)) return undefined;
  }
  return child;
}

/** Does the text begin with any of those filed? */
export function hasPrefix(root: TextNode<unknown>, text: string): boolean {
  let at = 0;
  for (let node = nodeAfter(root, text, 0); node; node = nodeAfter(node, text, at)) {
    if (node.value !== undefined) return true;
    at += node.label.length;
  }
  return false;
}

/** Does the text end with any of those filed? */
export function hasSuffix(root: TextNode<unknown>, text: string): boolean {
  let end = text.length;
  for (let node = nodeBefore(root, text, end); node; node = nodeBefore(node, text, end)) {
    if (node.value !== undefined) return true;
    end -= node.label.length;
  }
  return false;
}

function childFor<V>(node: TextNode<V>, code: number): TextNode<V> | undefined {
  const { heads } = node;
  for (let i = 0; i < heads.length; i += 1) {
    if (heads.charCodeAt(i) === code) return node.children[i];
  }
  return undefined;
}

function sharedLength(label: string, text: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) {
    length += 1;
  }
  return length;
}

function split<V>(node: TextNode<V>, at: number): void {
  const { label, value, heads, children } = node;
  const rest = { label: label.slice(at), value, heads, children };
  node.label = label.slice(0, at);
  node.value = undefined;
  node.heads = rest.label.charAt(0);
  node.children = [rest];
}

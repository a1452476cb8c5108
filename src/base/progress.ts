/** What a long operation tells whoever shows it. Bytes only grow; a total may grow while a graph is walked. */
export type ProgressEvent =
  | { readonly type: 'phase'; readonly name: string }
  | { readonly type: 'total'; readonly sizeBytes: number; readonly items: number }
  | { readonly type: 'advance'; readonly sizeBytes: number }
  | { readonly type: 'done'; readonly what: string; readonly sizeBytes: number; readonly how: string }
  | { readonly type: 'note'; readonly text: string }

export type OnProgress = (event: ProgressEvent) => void

const pattern = /^[0-9a-f]{32}$/

/** Whether a text can be the id of a session. Nothing else is looked for. */
export const isSessionId = (text: string): boolean => pattern.test(text)

// The application that the demo carries: a small web page that says who it is.
import { createServer } from 'node:http'

const { PORT = '0', GREETING = 'Hello', IMAGE = 'unknown' } = process.env

const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
const page = `<!doctype html>
<meta charset="utf-8">
<title>${escape(GREETING)}</title>
<h1>${escape(GREETING)} from the far side</h1>
<p>I was pulled by digest: <code>${escape(IMAGE)}</code></p>
<p>Node ${process.version}, process ${process.pid}</p>
`

const server = createServer((request, response) => {
  const status = request.url === '/' ? 200 : 404
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' })
  response.end(status === 200 ? page : 'not found\n')
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${server.address().port}`))
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => server.close(() => process.exit(0)))

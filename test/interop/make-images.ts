// What run.ts starts to make the images, so that it can be stopped with all of its children.
// Usage: node test/interop/make-images.ts FOLDER; prints where the layout is.
import { makeImages } from './images.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('make-images: which folder?')
console.log(await makeImages(folder))

// A face of its own: whoever does not check shapes does not load the schema library.
export { bare, type Problem, pointer, shapeProblems, tell } from './problems.ts'

import { admissionLimits, isFailure, type Json } from '#base/index.ts'
import { imagesIn, newImages, parseReview } from '#server/index.ts'
import type { FuzzTarget } from '../targets.ts'

const pod = {
  initContainers: [{ name: 'setup', image: 'needle/setup' }],
  containers: [{ name: 'web', image: 'needle/web' }],
  ephemeralContainers: [{ name: 'debug', image: 'needle/debug' }],
  volumes: [{ name: 'models', image: { reference: 'needle/models' } }],
}

const review = (kind: readonly [string, string, string], object: object, more: object = {}) =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u',
      kind: { group: kind[0], version: kind[1], kind: kind[2] },
      operation: 'CREATE',
      namespace: 'shop',
      name: 'web',
      userInfo: { username: 'jo', groups: ['g'] },
      object,
      dryRun: false,
      ...more,
    },
  })

const template = { template: { spec: pod } }

export const admissionTargets: readonly FuzzTarget[] = [
  {
    name: 'admission-review',
    corpus: [
      review(['', 'v1', 'Pod'], { spec: pod }),
      review(['apps', 'v1', 'Deployment'], { spec: template }),
      review(['batch', 'v1', 'CronJob'], { spec: { jobTemplate: { spec: template } } }),
      review(['example.com', 'v1', 'Rollout'], { spec: { steps: [template] } }),
      review(['', 'v1', 'Pod'], { spec: pod }, { operation: 'UPDATE', oldObject: { spec: pod } }),
      review(
        ['', 'v1', 'Pod'],
        { spec: pod },
        { operation: 'DELETE', object: null, oldObject: { spec: pod } },
      ),
    ],
    words: [
      '"containers":',
      '"Containers":',
      '"image":',
      'null',
      '[]',
      '{}',
      '"spec":',
      'UPDATE',
      '\\u0063',
      '"oldObject":',
    ],
    run(input) {
      const parsed = parseReview(input)
      const { object, operation } = parsed
      const fresh = newImages(parsed)
      // What is said of an image is said of what stands there.
      for (const { pointer, image } of fresh) {
        if (image !== (at(object as Json, pointer) ?? ''))
          throw new Error(`${pointer} does not hold ${image}`)
      }
      // Of a new object no image is passed over, whatever stands around it: none may start that nobody asks about.
      if (
        operation === 'CREATE' &&
        object !== undefined &&
        fresh.length !== imagesIn(parsed.kind, object).length
      ) {
        throw new Error('an image of a new object is passed over')
      }
      return `${operation} ${fresh.length}`
    },
  },
  {
    name: 'admission-pod',
    corpus: [JSON.stringify(pod), JSON.stringify({ containers: [], volumes: null })],
    words: ['"containers":', '"image":', '"name":', 'null', '[', '{'],
    run(input) {
      // The same pod in a kind that is known and in one that is not: what the first finds, the second does too.
      const text = new TextDecoder().decode(input)
      const request = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","userInfo":{},"object":{"spec":${text}}}}`
      const { kind, object } = parseReview(new TextEncoder().encode(request), admissionLimits)
      const known = imagesIn(kind, object ?? {})
      const named = known.filter(({ image }) => image !== '')
      try {
        const searched = new Set(imagesIn('example.com/v1/Other', object ?? {}).map(({ pointer }) => pointer))
        for (const { pointer } of named) {
          if (!searched.has(pointer)) throw new Error(`${pointer} is found in a Pod and not in another kind`)
        }
      } catch (error) {
        if (!isFailure(error)) throw error
      }
      return known.length
    },
  },
]

function at(value: Json, pointer: string): Json | undefined {
  let here: Json | undefined = value
  for (const part of pointer.split('/').slice(1)) {
    here = (here as { [key: string]: Json })[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return here
}

// Packages that ship ES modules only, through which Jest's CommonJS sandbox must be helped.
const esm = [
  '@nestjs',
  '@prisma/schema-engine-wasm',
  'jose',
  'cookie',
  'content-disposition',
  'file-type',
  'strtok3',
  'token-types',
  'uint8array-extras',
  '@tokenizer',
  '@borewit',
  'lru-cache',
  'oauth4webapi',
  'openid-client',
];

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['apps', 'bench', 'faults', 'libs', 'prisma', 'test', 'tools'].map((name) => `<rootDir>/${name}`),
  testMatch: ['**/*.spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  transform: { '^.+\\.[cm]?[jt]s$': '@swc/jest' },
  // The first group lets nested copies (a/node_modules/b) be judged by their own name.
  transformIgnorePatterns: [`node_modules/(?!.*node_modules/)(?!(${esm.join('|')})/)`],
  moduleNameMapper: {
    '^#(vault|providers|tokens|registry|sdk)$': '<rootDir>/libs/$1/src/index.ts',
    '^#sdk-testing$': '<rootDir>/libs/sdk/src/testing.ts',
    '^#migrations$': '<rootDir>/prisma/migrate.ts',
  },
  globalSetup: '<rootDir>/test/harness/global-setup.ts',
  globalTeardown: '<rootDir>/test/harness/global-teardown.ts',
  maxWorkers: 2,
  testTimeout: 30_000,
};

-- CreateTable
CREATE TABLE "master_keys" (
    "kid" TEXT NOT NULL,
    "marker" BYTEA NOT NULL,
    "first_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "master_keys_pkey" PRIMARY KEY ("kid")
);

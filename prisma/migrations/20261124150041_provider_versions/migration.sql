-- AlterTable
ALTER TABLE "clients" ADD COLUMN     "provider_version" INTEGER NOT NULL DEFAULT 1;

-- CreateTable
CREATE TABLE "provider_versions" (
    "provider" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "source" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "mac" BYTEA NOT NULL,
    "mac_kid" TEXT NOT NULL,
    "preset" BOOLEAN NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "provider_versions_pkey" PRIMARY KEY ("provider","version")
);

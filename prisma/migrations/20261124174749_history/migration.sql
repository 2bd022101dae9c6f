-- CreateTable
CREATE TABLE "events" (
    "seq" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "kind" TEXT NOT NULL,
    "client_id" UUID,
    "client" TEXT,
    "provider" TEXT,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "events_pkey" PRIMARY KEY ("seq")
);

-- CreateTable
CREATE TABLE "renewal_hours" (
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "provider" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "duration_ms_sum" BIGINT NOT NULL,
    "duration_ms_max" INTEGER NOT NULL,
    "lateness_ms_max" INTEGER NOT NULL,

    CONSTRAINT "renewal_hours_pkey" PRIMARY KEY ("hour","provider","outcome","reason")
);

-- CreateIndex
CREATE INDEX "events_at_idx" ON "events"("at");

-- CreateIndex
CREATE INDEX "events_client_seq_idx" ON "events"("client", "seq");

-- CreateIndex
CREATE INDEX "events_provider_kind_seq_idx" ON "events"("provider", "kind", "seq");

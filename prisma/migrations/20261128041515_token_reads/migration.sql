-- CreateTable
CREATE TABLE "token_reads" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "reads" INTEGER NOT NULL,
    "service" TEXT NOT NULL,
    "key_id" UUID,
    "client_id" UUID NOT NULL,
    "client" TEXT NOT NULL,
    "generation" TEXT NOT NULL,

    CONSTRAINT "token_reads_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "token_reads_service_id_idx" ON "token_reads"("service", "id");

-- CreateIndex
CREATE INDEX "token_reads_client_id_idx" ON "token_reads"("client", "id");

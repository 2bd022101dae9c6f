-- CreateTable
CREATE TABLE "access_epoch" (
    "slot" INTEGER NOT NULL,
    "added" BIGINT NOT NULL DEFAULT 0,
    "changed" BIGINT NOT NULL DEFAULT 0,
    "keys" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "access_epoch_pkey" PRIMARY KEY ("slot")
);

-- Counts up what its arguments name, once a transaction however many rows it changes. Each connection has a row of its
-- own, or nearly, and since the triggers are deferred it is locked for the moment of the commit only: nobody waits for
-- another's transaction, and none can be caught in a deadlock by it. It acts as its owner, and finds its table, whoever
-- changes a key by whichever search_path.
CREATE FUNCTION "count_access_change"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  done text := 'token_broker.counted_' || array_to_string(TG_ARGV, '_');
  this text := pg_current_xact_id()::text;
BEGIN
  IF current_setting(done, true) IS DISTINCT FROM this THEN
    PERFORM set_config(done, this, true);
    INSERT INTO access_epoch AS e (slot, added, changed, keys)
    VALUES (pg_backend_pid() % 64, ('added' = ANY (TG_ARGV))::int, ('changed' = ANY (TG_ARGV))::int, ('keys' = ANY (TG_ARGV))::int)
    ON CONFLICT (slot) DO UPDATE
      SET added = e.added + excluded.added, changed = e.changed + excluded.changed, keys = e.keys + excluded.keys;
  END IF;
  RETURN NULL;
END $$;

-- Temporary tables are looked for first unless they are named: nobody's own table of that name is to be counted in.
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION count_access_change() SET search_path = %I, pg_temp', current_schema());
END $$;

-- A new key only adds a prefix: of those that are known it changes nothing. So with the others that come new.
CREATE CONSTRAINT TRIGGER "keys_added" AFTER INSERT ON "keys" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('keys');

CREATE CONSTRAINT TRIGGER "keys_removed" AFTER DELETE ON "keys" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('changed', 'keys');

-- Not of last_used_at, which is written every ten seconds.
CREATE CONSTRAINT TRIGGER "keys_changed" AFTER UPDATE ON "keys" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (
  (OLD.prefix, OLD.digest, OLD.pepper_kid, OLD.service_id, OLD.role, OLD.name, OLD.expires_at, OLD.revoked_at) IS DISTINCT FROM
  (NEW.prefix, NEW.digest, NEW.pepper_kid, NEW.service_id, NEW.role, NEW.name, NEW.expires_at, NEW.revoked_at)
) EXECUTE FUNCTION "count_access_change"('changed', 'keys');

CREATE CONSTRAINT TRIGGER "services_added" AFTER INSERT ON "services" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('added');

CREATE CONSTRAINT TRIGGER "services_changed" AFTER UPDATE OR DELETE ON "services" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('changed');

CREATE CONSTRAINT TRIGGER "grants_added" AFTER INSERT ON "grants" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('added');

CREATE CONSTRAINT TRIGGER "grants_changed" AFTER UPDATE OR DELETE ON "grants" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('changed');

CREATE CONSTRAINT TRIGGER "clients_added" AFTER INSERT ON "clients" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('added');

CREATE CONSTRAINT TRIGGER "clients_removed" AFTER DELETE ON "clients" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION "count_access_change"('changed');

-- Not of conditions.
CREATE CONSTRAINT TRIGGER "clients_changed" AFTER UPDATE ON "clients" DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN ((OLD.id, OLD.name, OLD.labels, OLD.enabled) IS DISTINCT FROM (NEW.id, NEW.name, NEW.labels, NEW.enabled))
EXECUTE FUNCTION "count_access_change"('changed');

CREATE TRIGGER "keys_truncated" AFTER TRUNCATE ON "keys"
FOR EACH STATEMENT EXECUTE FUNCTION "count_access_change"('changed', 'keys');

CREATE TRIGGER "services_truncated" AFTER TRUNCATE ON "services"
FOR EACH STATEMENT EXECUTE FUNCTION "count_access_change"('changed');

CREATE TRIGGER "grants_truncated" AFTER TRUNCATE ON "grants"
FOR EACH STATEMENT EXECUTE FUNCTION "count_access_change"('changed');

CREATE TRIGGER "clients_truncated" AFTER TRUNCATE ON "clients"
FOR EACH STATEMENT EXECUTE FUNCTION "count_access_change"('changed');

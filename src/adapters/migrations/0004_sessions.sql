-- Made by drizzle-kit but for the first statement after "sessions": drizzle has no words for it.
CREATE TABLE "bans" (
	"tenant" text NOT NULL,
	"platform" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"because" json NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "bans_tenant_platform_environment_agent_pk" PRIMARY KEY("tenant","platform","environment","agent")
);
--> statement-breakpoint
CREATE TABLE "outages" (
	"from_at" timestamp (3) with time zone PRIMARY KEY NOT NULL,
	"until_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "service_alive" (
	"replica" text PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "session_deltas" (
	"session" text NOT NULL,
	"seq" bigint NOT NULL,
	"measurement" json NOT NULL,
	CONSTRAINT "session_deltas_session_seq_pk" PRIMARY KEY("session","seq")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"environment" text NOT NULL,
	"agent" text NOT NULL,
	"jkt" text NOT NULL,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"standing" text NOT NULL,
	"changed_at" timestamp (3) with time zone NOT NULL,
	"because" json NOT NULL,
	"record" json NOT NULL,
	"revision" integer NOT NULL,
	"heard_at" timestamp (3) with time zone NOT NULL,
	"progress" json NOT NULL,
	"last_digest" text,
	"last_answer" json
);
--> statement-breakpoint
-- Room for the next row of a session beside the last, in one page; and 1.5 KB that change every ten seconds are not for TOAST.
ALTER TABLE "sessions" SET (fillfactor = 60, toast_tuple_target = 8160);
--> statement-breakpoint
CREATE TABLE "webhook_cursors" (
	"name" text PRIMARY KEY NOT NULL,
	"sequence" bigint NOT NULL,
	"holder" text NOT NULL,
	"held_until" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "session" text;--> statement-breakpoint
CREATE INDEX "sessions_tenant_standing_id_index" ON "sessions" USING btree ("tenant","standing","id");--> statement-breakpoint
CREATE INDEX "sessions_opened_at_index" ON "sessions" USING btree ("opened_at");--> statement-breakpoint
CREATE INDEX "tokens_session_index" ON "tokens" USING btree ("session","expires_at") WHERE "tokens"."session" is not null;
// Made by scripts/api_types.mjs from schemas/openapi.json; `npm run api-types` makes it anew.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A UUID as text; those made here are version 4, in lower case. */
        uuid: string;
        /** @description An event's `<epoch>.<seq>`. */
        event_id: string;
        /**
         * Format: date-time
         * @description RFC 3339 UTC with milliseconds.
         */
        timestamp: string;
        /** @description Printable ASCII of the caller's choice. */
        idempotency_key: string;
        title: string;
        persona_id: string;
        message_text: string;
        attachments: {
            id?: components["schemas"]["uuid"];
            attachment_id?: components["schemas"]["uuid"];
        }[];
        /** @description RFC 9457. More members may be there; a client ignores those it does not know. */
        problem: {
            /** @description `about:blank`: what tells problems apart is `code`. */
            type: string;
            /** @description The status in words. */
            title: string;
            status: number;
            /** @description What was wrong this time; never a secret. */
            detail?: string;
            /** @description Stable; codes.md lists them. */
            code: string;
            request_id: string;
            /** @description With request.unknown_field, as a JSON pointer. */
            field?: string;
            /** @description With request.invalid_parameter. */
            parameter?: string;
            /** @description With import.invalid; 0 where the document is empty. */
            line?: number;
            /** @description With request.invalid. */
            errors?: {
                /** @description A JSON pointer into the body; "" is the body. */
                pointer: string;
                detail: string;
            }[];
        };
        session_create: {
            title?: components["schemas"]["title"];
            persona_id?: components["schemas"]["persona_id"];
        };
        /** @description What is not given stays. Sharing is for the session's owner and admins. */
        session_update: {
            title?: components["schemas"]["title"];
            visibility?: components["schemas"]["visibility"];
            /** @description All of those who see it besides its owner. */
            shared_with?: components["schemas"]["user_id"][];
        };
        /**
         * @description Who sees the session, `shared_with` aside; `private` is its owner, `tenant` all of its tenant.
         * @enum {string}
         */
        visibility: "private" | "tenant";
        /** @description One line of text. */
        user_id: string;
        message_send: {
            session_id?: components["schemas"]["uuid"];
            message: components["schemas"]["message_text"];
            persona_id?: components["schemas"]["persona_id"];
            attachments?: components["schemas"]["attachments"];
            idempotency_key?: components["schemas"]["idempotency_key"];
        };
        /** @description A `session_id` must be the path's. */
        session_message_send: {
            session_id?: components["schemas"]["uuid"];
            message?: components["schemas"]["message_text"];
            /** @enum {string} */
            role?: "user";
            content?: components["schemas"]["message_text"];
            persona_id?: components["schemas"]["persona_id"];
            attachments?: components["schemas"]["attachments"];
            idempotency_key?: components["schemas"]["idempotency_key"];
        } & (unknown | unknown);
        known_files: {
            files: {
                sha256: string;
                filename?: string;
            }[];
        };
        work_path: string;
        work_move: {
            session_id?: components["schemas"]["uuid"];
            from: components["schemas"]["work_path"];
            to: components["schemas"]["work_path"];
        };
        work_folder: {
            session_id?: components["schemas"]["uuid"];
            path: components["schemas"]["work_path"];
        };
        action: {
            session_id: components["schemas"]["uuid"];
            /** @enum {string} */
            action: "nudge" | "stop" | "pause" | "resume" | "retry" | "restart" | "summarize";
            tool_call_id?: components["schemas"]["uuid"];
        };
        pause: {
            /** @default true */
            paused: boolean;
        };
        fork: {
            /** @description `<epoch>.<seq>` */
            event_id: string;
        };
        tool_offer: {
            id: string;
            title: string;
            description: string;
            /** @enum {string} */
            executor: "builtin" | "sandbox" | "mcp";
            /** @description JSON Schema. */
            inputs: Record<string, unknown>;
            /** @description JSON Schema. */
            outputs: Record<string, unknown>;
        };
        tool_list: {
            tools: components["schemas"]["tool_offer"][];
        };
        tool_limits: {
            timeout_ms?: number;
            cpu_s?: number;
            memory_bytes?: number;
            processes?: number;
            open_files?: number;
            disk_bytes?: number;
            output_bytes?: number;
            concurrency?: number;
            work_folder?: boolean;
        };
        tool_entry: {
            id: string;
            title: string;
            description: string;
            /** @enum {string} */
            executor: "builtin" | "sandbox" | "mcp";
            /** @description JSON Schema. */
            inputs: Record<string, unknown>;
            /** @description JSON Schema. */
            outputs: Record<string, unknown>;
            idempotent: boolean;
            enabled: boolean;
            limits: components["schemas"]["tool_limits"];
            egress: string[];
            /** @description Why it cannot run on this machine. */
            unavailable?: string;
        };
        tool_catalog: {
            tools: components["schemas"]["tool_entry"][];
        };
        /**
         * Format: date-time
         * @description RFC 3339 UTC, in the future.
         */
        expiry: string;
        /** @enum {string} */
        memory_kind: "message" | "note" | "knowledge" | "summary";
        memory_tags: string[];
        memory_create: {
            text: string;
            /**
             * @default note
             * @enum {string}
             */
            kind: "note" | "knowledge" | "summary";
            tags?: components["schemas"]["memory_tags"];
            /** @default 0.5 */
            importance: number;
            expires_at?: components["schemas"]["expiry"];
        };
        memory_change: {
            text?: string;
            tags?: components["schemas"]["memory_tags"];
            importance?: number;
            pinned?: boolean;
            /** @description Null: never. */
            expires_at?: components["schemas"]["expiry"] | null;
        };
        memory_question: {
            query?: string;
            /**
             * @description In place of a query: what is remembered that fits what the context of `session_id` holds, and
             *     is not in it. Of the whole tenant, not of that session alone.
             * @enum {boolean}
             */
            context_window?: true;
            ids?: string[];
            /** @description Only what is of this session. */
            session_id?: string;
            /** @default 20 */
            limit: number;
            kinds?: ("message" | "note" | "knowledge" | "summary")[];
            /** @description The `as_of` of an earlier answer. */
            at?: string;
        } & (unknown | unknown | unknown);
        document_import: {
            attachment_id: string;
        };
        document_imported: {
            attachment_id: string;
            filename: string;
            passages: number;
            /** @description There was more of it than is kept: `memory.passages_max`, 4 MiB of text, 2,000 pages. */
            truncated: boolean;
            /** @description It was kept before. */
            again: boolean;
        };
        memory_uses: {
            uses: {
                session_id: string;
                turn_id: string;
                /** @description Of the user's message that the turn answers. */
                message_id: string;
                /** @description Of the `memory.recall` that told it. */
                event_id: string;
                at: components["schemas"]["timestamp"];
            }[];
            next_cursor?: string;
        };
        memory_documents: {
            documents: {
                attachment_id: string;
                filename: string;
                /** @description In which a tool kept it; null: it was imported. */
                session_id: string | null;
                /** @description As many as were kept, whatever was forgotten by itself since. */
                passages: number;
                /** @description Of their texts. */
                bytes: number;
                imported_at: components["schemas"]["timestamp"];
                owner: string;
            }[];
            next_cursor?: string;
        };
        document_forgotten: {
            /** @description Passages that went. */
            forgotten: number;
        };
        /** @description Where in a document it stands. */
        memory_place: {
            file?: string;
            page?: number;
            /** @description The headings that it stands under, as `A > B`. */
            heading?: string;
            /** @description From and to: characters of the document's text. */
            range?: number[];
        };
        memory: {
            memory_id: string;
            kind: components["schemas"]["memory_kind"];
            text: string;
            /** @description There was more of it; the message has all. */
            cut?: boolean;
            /** @enum {string} */
            role?: "user" | "assistant";
            tags: string[];
            importance: number;
            pinned: boolean;
            session_id?: string;
            message_id?: string;
            tool_call_id?: string;
            attachment_id?: string;
            place?: components["schemas"]["memory_place"];
            owner: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /**
             * Format: date-time
             * @description From then on it is in no answer, and is deleted. Left out: never.
             */
            expires_at?: string;
            /** @enum {string} */
            state: "stored" | "replicated" | "failed";
        };
        memory_page: {
            memories: components["schemas"]["memory"][];
            next_cursor: string | null;
        };
        memory_found: {
            memories: {
                memory_id: string;
                kind: components["schemas"]["memory_kind"];
                text: string;
                /** @description There was more of it; the message has all. */
                cut?: boolean;
                /** @enum {string} */
                role?: "user" | "assistant";
                tags: string[];
                importance: number;
                pinned: boolean;
                session_id?: string;
                message_id?: string;
                tool_call_id?: string;
                attachment_id?: string;
                place?: components["schemas"]["memory_place"];
                owner: string;
                /** Format: date-time */
                created_at: string;
                /** Format: date-time */
                updated_at: string;
                /**
                 * Format: date-time
                 * @description From then on it is in no answer, and is deleted. Left out: never.
                 */
                expires_at?: string;
                /** @enum {string} */
                state: "stored" | "replicated" | "failed";
                score: number;
            }[];
            degraded: boolean;
            why?: string;
            /** @description A nearer one by its vector may be missing. */
            approximate?: boolean;
        };
        memory_recalled: {
            items: {
                memory_id: string;
                score: number;
                text: string;
                kind: components["schemas"]["memory_kind"];
                session_id?: string;
                message_id?: string;
                attachment_id?: string;
                place?: components["schemas"]["memory_place"];
                /** Format: date-time */
                created_at: string;
                /**
                 * @description `somabrain`: it alone named it.
                 * @enum {string}
                 */
                from: "local" | "somabrain";
            }[];
            degraded: boolean;
            why?: string;
            /** @description A nearer one by its vector may be missing. */
            approximate?: boolean;
            as_of: string;
        };
        memory_status: {
            stored: number;
            replicated: number;
            /** @description Of the texts of what is stored. */
            bytes: number;
            /** @description Past it, or past `bytes_max`, notes and documents are refused. */
            items_max: number;
            /** @description 0: no bound. */
            bytes_max: number;
            /** @description Changes that SomaBrain has not acknowledged yet, of the node; without SomaBrain those that cannot be found yet. */
            waiting: number;
            failed: number;
            oldest_waiting_s: number;
            index_lag: number;
            /** @description Seconds since all of the log that is followed was here; 0: it is, by a word of the last 15 seconds, or none is followed. */
            replica_lag_s: number;
            /** @description Of the log that is followed, where one is. */
            followed?: {
                log: string;
                /** @description How far it is applied; empty: it has nothing yet. */
                position: string;
                caught_up: boolean;
            };
            /**
             * @description `none`: there is nothing beyond this node that memories go to. `open`: SomaBrain is away and left alone for a while.
             * @enum {string}
             */
            breaker: "none" | "closed" | "open" | "half_open";
            /**
             * @description Whether SomaBrain takes ratings of answers; `off`: it is not set up, `unknown`: it was not asked yet.
             * @enum {string}
             */
            feedback: "off" | "unknown" | "taken" | "not_taken";
            degraded: boolean;
            why?: string;
            vectors: {
                /**
                 * @description off: no profile of the tenant has role `embed`.
                 * @enum {string}
                 */
                state: "off" | "building" | "ready" | "failing";
                /** @description Memories that have no vector yet; at most 10,000 are counted. */
                waiting: number;
                /** @description Memories whose text the provider never takes: they are found by words alone. At most 10,000 are counted. */
                set_aside: number;
                /** @description For how long some have been waiting. */
                lag_s: number;
                why?: string;
            };
        };
        memory_log_lines: {
            /** @description Whose lines they are. */
            log: string;
            /** @description The position that they begin behind; empty: the start. */
            after?: string;
            /** @description From the start, whatever was followed before. Once a head comes, what came from there before and is there no more goes. */
            anew?: boolean;
            /** @description Nothing is followed any more. What came stays. */
            end?: boolean;
            /** @description `put`, `gone` and `head`, as they came; at most 500 changes. */
            lines?: string[];
        };
        memory_log_applied: {
            position: string;
            /** @description Changes. */
            applied: number;
            /** @description Of memories that are newer here, or went. */
            left_alone: number;
            /** @description That the end of following anew took away. */
            gone: number;
        };
        memory_synced: {
            configured: boolean;
            /** @description Memories of the tenant. */
            looked_at: number;
            /** @description Of them, to be sent. */
            queued: number;
            /** @description Memories that went without SomaBrain hearing of it; it will. */
            gone: number;
        };
        /** @description As it is kept; docs/audit.md says how its hash is made. */
        audit_record: {
            /** @description Grows by one. */
            seq: number;
            /**
             * Format: date-time
             * @description When it was recorded.
             */
            at: string;
            /** @description The action, as policy names it, or an event of the node. */
            what: string;
            /**
             * Format: date-time
             * @description When it began.
             */
            when?: string;
            who?: {
                tenant_id?: string;
                user_id?: string;
                role?: string;
                key_id?: string;
            };
            /** @description The rule of policy that allowed or denied it, or the code of an error. */
            why?: string;
            how?: {
                operation?: string;
                door?: string;
                outcome?: string;
                status?: number;
            };
            resource?: string;
            request_id?: string;
            trace_id?: string;
            session_id?: string;
            /** @description What was changed to what, secrets masked. */
            diff?: Record<string, unknown>;
            data?: Record<string, unknown>;
            prev_hash: string;
            hash: string;
        };
        audit_page: {
            records: components["schemas"]["audit_record"][];
            next_cursor: string | null;
        };
        audit_head: {
            chain: string;
            /** @description The first record that its tree speaks of. */
            first: number;
            /** @description The last one. */
            seq: number;
            /** @description Of that one. */
            hash: string;
            /** @description Of the tree. */
            root: string;
            /** Format: date-time */
            at: string;
            key_id: string;
            /** @description Ed25519, base64 of its SubjectPublicKeyInfo: the inside of a PEM file. */
            public_key: string;
            /** @description Base64. */
            signature: string;
        };
        dead_letter: {
            id: string;
            sink: string;
            topic?: string;
            attempts: number;
            /** Format: date-time */
            first_at: string;
            /** Format: date-time */
            last_at: string;
            last_error: string;
            session_id?: string;
            /** @description Of the row. */
            bytes: number;
            /** @description The row; one for SomaBrain names a memory and holds nothing of it. Of one dead letter alone. */
            payload?: string;
        };
        backup_state: {
            /**
             * @description Of the last backup since the start.
             * @enum {unknown}
             */
            state: "none" | "running" | "done" | "failed";
            /** Format: date-time */
            started_at?: string;
            /** Format: date-time */
            ended_at?: string;
            /** @description Looked at so far. */
            files: number;
            bytes: number;
            /** @description Written so far, since no backup before had them. */
            new_bytes: number;
            /** @description Of one that is done. */
            backup_id?: string;
            /** @description Why one failed. */
            detail?: string;
        };
        backup_list: {
            /**
             * @description Of the last backup since the start.
             * @enum {unknown}
             */
            state: "none" | "running" | "done" | "failed";
            /** Format: date-time */
            started_at?: string;
            /** Format: date-time */
            ended_at?: string;
            /** @description Looked at so far. */
            files: number;
            bytes: number;
            /** @description Written so far, since no backup before had them. */
            new_bytes: number;
            /** @description Of one that is done. */
            backup_id?: string;
            /** @description Why one failed. */
            detail?: string;
            /** @description Whether `backup.folder` says where they go. */
            set_up: boolean;
            /** @description The oldest first. */
            backups: {
                backup_id: string;
                /** Format: date-time */
                made_at: string;
                /** @description Of the program that made it. */
                version: string;
                files: number;
                bytes: number;
                new_bytes: number;
            }[];
            /** @description Backups whose manifest cannot be read. */
            damaged: string[];
        };
        drain: {
            /** @description Which; else the one that is asked. */
            node_id?: string;
        };
        drain_result: {
            node_id: string;
            draining: boolean;
        };
        cluster: {
            /** @description False: this server is alone, and all lists are empty. */
            clustered: boolean;
            /** @description The node that answers. */
            node_id: string;
            /** @description Whether that one is. */
            draining: boolean;
            /** @description Partitions that it is giving up. */
            moves_under_way: number;
            /** @description Of the session that was asked about. */
            session?: {
                partition: number;
                owner: string;
            };
            nodes: {
                node_id: string;
                /** @description Where it takes over requests. */
                address: string;
                version: string;
                roles: string[];
                /**
                 * @description `beyond`: others hear it, this node does not.
                 * @enum {unknown}
                 */
                state: "here" | "draining" | "doubted" | "beyond" | "down";
                /** Format: date-time */
                since: string;
            }[];
            partitions: {
                partition: number;
                /** @description Empty: none at this moment. */
                owner: string;
                epoch: number;
                /** @description Records in its log. */
                head: number;
                standbys: {
                    node_id: string;
                    /** @description Records that it has yet to read. */
                    lag: number;
                }[];
                /** @description Why this node reads it no more. */
                stopped?: string;
            }[];
            /** @description Nodes that are not let in, each with why. */
            refused: string[];
        };
        dead_letter_page: {
            rows: components["schemas"]["dead_letter"][];
            next_cursor: string | null;
        };
        mcp_server_write: {
            /** @description Of a server reached over streamable HTTP. */
            url?: string;
            /** @description Sent as a bearer token. */
            token?: string;
            /** @description A program, in place of `url`. */
            command?: string;
            args?: string[];
            env?: {
                [key: string]: string;
            };
            folders?: {
                from: string;
                to?: string;
                writable?: boolean;
            }[];
            memory_bytes?: number;
            processes?: number;
            /** @enum {string} */
            protocol?: "auto" | "2026-07-28" | "2025-11-25" | "2025-06-18" | "2025-03-26" | "2024-11-05";
            enable?: string[];
            timeout_ms?: number;
            concurrency?: number;
            output_bytes?: number;
        };
        mcp_server: {
            name: string;
            /** @enum {string} */
            source: "configuration" | "tenant";
            /** @enum {string} */
            transport: "stdio" | "http";
            /** @description The program, or the URL without its query. */
            address: string;
            /** @enum {string} */
            state: "connecting" | "ready" | "waiting";
            /** @description The revision that was agreed on. */
            protocol?: string;
            /** @description What the server says it is. */
            server?: string;
            last_error?: string;
            /** @description What its program wrote to standard error before it ended. */
            last_words?: string;
            has_token: boolean;
            tools: string[];
            left_out_count: number;
            /** @description Tools that were not taken, each with why; the first few. */
            left_out: string[];
        };
        mcp_server_list: {
            servers: components["schemas"]["mcp_server"][];
        };
        tool_change: {
            enabled?: boolean;
            limits?: components["schemas"]["tool_limits"];
            egress?: string[];
        };
        tool_request: {
            session_id: components["schemas"]["uuid"];
            tool_id: string;
            inputs?: Record<string, unknown>;
        };
        tool_requested: {
            session_id: components["schemas"]["uuid"];
            tool_call_id: components["schemas"]["uuid"];
            event_id: components["schemas"]["event_id"];
            /** @enum {string} */
            status: "queued";
        };
        export_request: {
            session_id: components["schemas"]["uuid"];
        };
        app_event: {
            /** @description Those that begin with `soma.` are the server's own. */
            name: string;
            /** @description Any JSON. */
            data: unknown;
        };
        feedback: {
            session_id: components["schemas"]["uuid"];
            message_id: components["schemas"]["uuid"];
            /** @enum {string} */
            rating: "helpful" | "not_helpful";
            tags?: string[];
            comment?: string;
        };
        day: string;
        profile_name: string;
        model_profile_write: {
            name?: components["schemas"]["profile_name"];
            role?: components["schemas"]["profile_name"];
            provider?: components["schemas"]["profile_name"];
            /** @enum {string} */
            kind?: "openai_chat" | "openai_responses" | "anthropic";
            model: string;
            /** @description Kept in one form, to which a /v1 may have been added. */
            base_url: string;
            parameters?: {
                temperature?: number;
                top_p?: number;
                max_tokens?: number;
                stop?: string[];
                reasoning_effort?: string;
                extra?: Record<string, unknown>;
            };
            /** @enum {string} */
            resume?: "restart" | "prefill";
            context_window?: number;
            /** @description Whether messages may have pictures. */
            images?: boolean;
            /** @description US dollars a million tokens. */
            prices?: {
                input?: number;
                cached_input?: number;
                output?: number;
            };
            fallbacks?: components["schemas"]["profile_name"][];
            enabled?: boolean;
            /** @description Speaks for its role before all others. The one before it gives way. */
            preferred?: boolean;
            /** @enum {string} */
            source?: "configuration" | "tenant";
        };
        model_profile_create: {
            name: components["schemas"]["profile_name"];
            role?: components["schemas"]["profile_name"];
            provider?: components["schemas"]["profile_name"];
            /** @enum {string} */
            kind?: "openai_chat" | "openai_responses" | "anthropic";
            model: string;
            /** @description Kept in one form, to which a /v1 may have been added. */
            base_url: string;
            parameters?: {
                temperature?: number;
                top_p?: number;
                max_tokens?: number;
                stop?: string[];
                reasoning_effort?: string;
                extra?: Record<string, unknown>;
            };
            /** @enum {string} */
            resume?: "restart" | "prefill";
            context_window?: number;
            /** @description Whether messages may have pictures. */
            images?: boolean;
            /** @description US dollars a million tokens. */
            prices?: {
                input?: number;
                cached_input?: number;
                output?: number;
            };
            fallbacks?: components["schemas"]["profile_name"][];
            enabled?: boolean;
            /** @description Speaks for its role before all others. The one before it gives way. */
            preferred?: boolean;
            /** @enum {string} */
            source?: "configuration" | "tenant";
        };
        credential_write: {
            secret: string;
        };
        invoke_request: {
            profile?: string;
            role?: string;
            messages: {
                /** @enum {string} */
                role: "system" | "user" | "assistant" | "tool";
                content: string;
                tool_call_id?: string;
                tool_calls?: {
                    id: string;
                    name: string;
                    inputs: Record<string, unknown>;
                }[];
            }[];
            tools?: {
                name: string;
                description?: string;
                /** @description A JSON Schema. */
                inputs: Record<string, unknown>;
            }[];
            overrides?: {
                model?: string;
                temperature?: number;
                top_p?: number;
                max_tokens?: number;
                stop?: string[];
                reasoning_effort?: string;
                /** @description Judged by the model lock; it never counts. */
                base_url?: string;
            };
            /** @description Judged by the model lock; it never counts. */
            base_url?: string;
        };
        llm_test_request: {
            profile?: string;
            role?: string;
        };
        settings_update: {
            llm?: {
                base_url?: string;
                model?: string;
                api_key?: string;
            };
            egress?: {
                /**
                 * @description Of personal data in what leaves; "" is as the node has it.
                 * @enum {string}
                 */
                pii?: "" | "off" | "report" | "redact" | "deny";
            };
        };
        key_create: {
            name: string;
            /**
             * @default user
             * @enum {string}
             */
            role: "admin" | "user";
            /** @description Whom the key speaks for; who makes it where it is left out. */
            user_id?: string;
            expires_at?: components["schemas"]["expiry"];
        };
        /** @description What is not given stays. */
        user_update: {
            disabled?: boolean;
            /** @enum {string} */
            role?: "admin" | "user";
        };
        login: {
            /** @description From the sign-in link. */
            token?: string;
            /** @description An API key. */
            key?: string;
        } & (unknown | unknown);
        session: {
            session_id: components["schemas"]["uuid"];
            /** @description Empty until one is given or made. */
            title: string;
            persona_id: string;
            created_at: components["schemas"]["timestamp"];
            updated_at: components["schemas"]["timestamp"];
            last_event_id: components["schemas"]["event_id"];
            /** @description A turn runs or waits. */
            busy: boolean;
            paused: boolean;
            message_count?: number;
            /** @description Who made it; absent where nobody knows. */
            owner?: string;
            visibility: components["schemas"]["visibility"];
            shared_with: string[];
        };
        session_page: {
            sessions: components["schemas"]["session"][];
            /** @description Null on the last page. A page may be short or empty and not the last. */
            next_cursor: string | null;
        };
        message_result: {
            envelope_id: components["schemas"]["uuid"];
            session_id: components["schemas"]["uuid"];
            message_id: components["schemas"]["uuid"];
            event_id: components["schemas"]["event_id"];
            /** @constant */
            status: "queued";
        };
        action_result: {
            session_id: components["schemas"]["uuid"];
            action: string;
            event_id?: components["schemas"]["event_id"];
            /**
             * @description `done`, durable; `started`, the rest shows as events.
             * @enum {unknown}
             */
            status: "done" | "started";
        };
        reset_result: {
            session_id: components["schemas"]["uuid"];
            /** @description The new `session.open`. */
            event_id: components["schemas"]["event_id"];
        };
        pause_result: {
            session_id: components["schemas"]["uuid"];
            paused: boolean;
            /** @description The `session.state`; where nothing changed, the session's last event. */
            event_id: components["schemas"]["event_id"];
        };
        ticket: {
            ticket: string;
            expires_at: components["schemas"]["timestamp"];
            /** @description The stream's path with the ticket in it. */
            url: string;
        };
        import_result: {
            session_id: components["schemas"]["uuid"];
            events: number;
            /** @description False where the document was imported before. */
            created: boolean;
        };
        feedback_result: {
            session_id: components["schemas"]["uuid"];
            message_id: components["schemas"]["uuid"];
            event_id: components["schemas"]["event_id"];
            /** @constant */
            status: "recorded";
        };
        append_result: {
            event_id: components["schemas"]["event_id"];
        };
        /** @description The envelope, the same in the log, on SSE and in an export. */
        event: {
            /** @constant */
            version: "v1";
            meta: {
                event_id: components["schemas"]["event_id"];
                request_id?: string;
                trace_id?: string;
                idempotency_key?: string;
                tenant_id: string;
                user_id?: string;
                session_id: components["schemas"]["uuid"];
                created_at: components["schemas"]["timestamp"];
            };
            /** @description A client ignores types it does not know. */
            type: string;
            /** @description By type, see event.schema.json. */
            payload: Record<string, unknown>;
        };
        event_page: {
            session_id: components["schemas"]["uuid"];
            events: components["schemas"]["event"][];
            /** @description An event id; null at the log's end. */
            next_cursor: string | null;
        };
        history: {
            /** @description Markdown. */
            history: string;
            /** @description Estimated. */
            tokens: number;
            last_event_id: components["schemas"]["event_id"];
        };
        context_window: {
            parts: {
                /** @description `system`, `memory` (what was recalled for the turn), `user`, `attachment`, `assistant`, `tool`, `instruction`. */
                kind: string;
                /** @enum {string} */
                role: "system" | "user" | "assistant" | "tool";
                message_id?: components["schemas"]["uuid"];
                turn_id?: components["schemas"]["uuid"];
                text: string;
                tokens: number;
            }[];
            /** @description Estimated, of all parts. */
            tokens: number;
            /** @description Tokens the model can take. */
            context_window: number;
            /** @description Messages of users and answers of earlier turns that the model is not sent any more. */
            left_out_messages?: number;
            /** @description Results of tools of which the model is sent the beginning alone. */
            shortened_results?: number;
        };
        model_profile: {
            name: components["schemas"]["profile_name"];
            role: components["schemas"]["profile_name"];
            provider: components["schemas"]["profile_name"];
            /** @enum {string} */
            kind: "openai_chat" | "openai_responses" | "anthropic";
            model: string;
            base_url: string;
            parameters: {
                temperature?: number;
                top_p?: number;
                max_tokens?: number;
                stop?: string[];
                reasoning_effort?: string;
                extra?: Record<string, unknown>;
            };
            /** @enum {string} */
            resume: "restart" | "prefill";
            context_window: number;
            /** @description Whether messages may have pictures. */
            images?: boolean;
            /** @description US dollars a million tokens. */
            prices?: {
                input?: number;
                cached_input?: number;
                output?: number;
            };
            fallbacks: components["schemas"]["profile_name"][];
            enabled: boolean;
            /** @description Speaks for its role before all others. The one before it gives way. */
            preferred?: boolean;
            /** @enum {string} */
            source: "configuration" | "tenant";
        };
        model_profile_list: {
            profiles: components["schemas"]["model_profile"][];
        };
        credential: {
            provider: string;
            fingerprint: string;
            created_at: components["schemas"]["timestamp"];
            updated_at: components["schemas"]["timestamp"];
            /** @description Only for callers with the internal token. */
            secret?: string;
        };
        credential_list: {
            credentials: components["schemas"]["credential"][];
        };
        token_usage: {
            prompt_tokens: number;
            completion_tokens: number;
            cached_tokens?: number;
            reasoning_tokens?: number;
            cost_usd?: number;
        };
        invoke_answer: {
            content: string;
            thinking?: string;
            tool_calls?: {
                id: string;
                name: string;
                inputs: Record<string, unknown>;
            }[];
            usage: components["schemas"]["token_usage"];
            /** @enum {unknown} */
            finish_reason: "stop" | "length" | "tool_calls";
            profile: string;
            provider: string;
            model: string;
            attempts?: number;
        };
        llm_test_answer: {
            ok: boolean;
            profile: string;
            provider: string;
            model: string;
            base_url: string;
            latency_ms: number;
            first_token_ms?: number;
            /** @description An error code of codes.md; absent when ok. */
            code?: string;
            /** @description What is wrong and what helps, for a person. */
            diagnosis?: string;
            /** @description What the provider offers; absent where it does not tell. */
            models?: string[];
        };
        usage_report: {
            from: components["schemas"]["day"];
            to: components["schemas"]["day"];
            rows: {
                day: string;
                user_id?: string;
                session_id?: string;
                provider: string;
                model: string;
                calls: number;
                failures: number;
                prompt_tokens: number;
                cached_tokens: number;
                completion_tokens: number;
                reasoning_tokens: number;
                cost_usd: number;
            }[];
            today: {
                tokens: number;
                cost_usd: number;
                /** @description Calls under way, those that wait included. */
                in_flight: number;
                /** @description Of them, those that wait for a place at their provider (`llm.calls_max`). */
                waiting?: number;
            };
            /** @description 0 is no cap. */
            caps: {
                tokens_a_day: number;
                cost_usd_a_day: number;
                concurrent: number;
                requests_a_minute: number;
            };
        };
        openai_error: {
            error: {
                message: string;
                type: string;
                param: string | null;
                code: string;
            };
        };
        openai_model: {
            id: string;
            /** @constant */
            object: "model";
            created: number;
            owned_by: string;
        };
        openai_stream_options: {
            include_usage?: boolean | null;
        } | null;
        settings: {
            egress: {
                /** @enum {unknown} */
                pii: "off" | "report" | "redact" | "deny";
                /**
                 * @description Who says so.
                 * @enum {unknown}
                 */
                from: "tenant" | "configuration";
            };
            llm: {
                base_url: string;
                model: string;
                /**
                 * @description Masked; "" where none is set.
                 * @enum {unknown}
                 */
                api_key: "" | "********";
            };
        };
        runtime_config: {
            version: string;
            /** @description More may be there. */
            limits: {
                body_bytes_max: number;
                message_chars_max: number;
                title_chars_max: number;
                attachments_max: number;
                events_page_max: number;
                session_queue_max: number;
                sse_heartbeat_s: number;
            } & {
                [key: string]: number;
            };
            profiles: string[];
            /** @description More may be there. */
            flags: {
                /** @description The provider is the rehearsal server. */
                rehearsal: boolean;
                /** @description A model answers chats. */
                model_configured?: boolean;
                /** @description The configuration has a key for the administrator. */
                admin_key?: boolean;
            } & {
                [key: string]: boolean;
            };
            /** @description Components by name. */
            degraded: string[];
        };
        attachment: {
            id: components["schemas"]["uuid"];
            attachment_id: components["schemas"]["uuid"];
            filename: string;
            sha256: string;
            /** @description Told from the bytes. */
            content_type: string;
            size_bytes: number;
            url: string;
            /** @enum {unknown} */
            status: "clean" | "pending" | "quarantined";
        };
        attachment_list: components["schemas"]["attachment"][];
        known_files_result: {
            files: components["schemas"]["attachment"][];
            missing: string[];
        };
        work_file: {
            path: string;
            size_bytes: number;
        };
        work_file_list: components["schemas"]["work_file"][];
        work_list: {
            path: string;
            entries: {
                name: string;
                /** @enum {unknown} */
                kind: "file" | "folder" | "other";
                /** @description Of a file. */
                size_bytes?: number;
                modified_at: components["schemas"]["timestamp"];
            }[];
            complete: boolean;
            /** @description Of the whole work folder. */
            used_bytes: number;
            bytes_max: number;
        };
        work_text: {
            path: string;
            /** @description Bytes that are no UTF-8 are U+FFFD. */
            text: string;
            offset: number;
            /** @description Of the piece. */
            bytes: number;
            /** @description Of the file. */
            size_bytes: number;
            more: boolean;
            utf8: boolean;
        };
        key_created: {
            key_id: components["schemas"]["uuid"];
            /** @description Shown once; absent on a replay. */
            key?: string;
            name: string;
            /** @enum {unknown} */
            role: "admin" | "user";
            /** @description Whom it speaks for. */
            user_id?: string;
            /** @description The key's first characters, to tell keys apart. */
            prefix: string;
            created_at: components["schemas"]["timestamp"];
            expires_at?: components["schemas"]["timestamp"];
        };
        key_list: {
            keys: {
                key_id: components["schemas"]["uuid"];
                name: string;
                /** @enum {unknown} */
                role: "admin" | "user";
                user_id?: string;
                prefix: string;
                created_at: components["schemas"]["timestamp"];
                expires_at?: components["schemas"]["timestamp"];
                last_used_at?: components["schemas"]["timestamp"];
            }[];
        };
        sign_in_list: {
            sessions: {
                id: string;
                created_at?: components["schemas"]["timestamp"];
                expires_at: components["schemas"]["timestamp"];
                /** @description The one that this request came with. */
                current: boolean;
            }[];
        };
        user: {
            user_id: string;
            /**
             * @description The most that he may do.
             * @enum {unknown}
             */
            role: "admin" | "user";
            disabled: boolean;
            /** @description Those that are his. */
            sessions: number;
            /** @description Those that hold. */
            keys: number;
            last_seen_at?: components["schemas"]["timestamp"];
        };
        user_page: {
            users: components["schemas"]["user"][];
            /** @description Null on the last page. */
            next_cursor: string | null;
        };
        sign_in_methods: {
            /** @description Null where none is configured. */
            provider: {
                /** @description `oidc.name`, for a button. */
                name: string;
            } | null;
        };
        signed_out: {
            /** @description At the provider; it sends the browser back to the page. */
            end_session_url: string;
        };
        identity: {
            tenant_id: string;
            user_id: string;
            /** @enum {unknown} */
            role: "admin" | "user";
            /**
             * @description How this request was told who it is.
             * @enum {unknown}
             */
            via: "key" | "cookie";
            expires_at?: components["schemas"]["timestamp"];
        };
        health: {
            /** @enum {unknown} */
            status: "ok" | "degraded";
            version: string;
            uptime_s: number;
            /** @description By name; only for a caller with an identity. */
            components?: {
                [key: string]: {
                    /** @enum {unknown} */
                    status: "ok" | "degraded" | "down";
                    detail?: string;
                    /** @description Of `outbox`: rows that wait for a sink. */
                    depth?: number;
                    /** @description Of `outbox`: age of the oldest of them. Of `vectors`: for how long some have been waiting. */
                    lag_s?: number;
                    /** @description Of `vectors`: the tenant's memories that have none yet. */
                    waiting?: number;
                    /** @description Of `vectors`: the tenant's memories that get none. */
                    set_aside?: number;
                    /** @description Of `outbox`: dead letters. */
                    dlq?: number;
                    /** @description Of `policy`: calls of OPA and OpenFGA. */
                    calls?: number;
                    /** @description Of `policy`: those without an answer that counts. */
                    failures?: number;
                    /** @description Of `policy`: answers that are kept. */
                    cached?: number;
                };
            };
        };
        liveness: {
            /** @constant */
            status: "ok";
        };
        readiness: {
            /** @constant */
            status: "ready";
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
